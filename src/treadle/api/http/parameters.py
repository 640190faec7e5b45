"""Query parameters that several operations have."""

from treadle.api.http.operations import LARGEST_PAGE, PAGE, Query

LONGEST_WAIT_SECONDS = 3600.0
WAIT = Query(
    name="wait",
    text="Seconds to wait for the end.",
    kind="number",
    default=0.0,
    most=LONGEST_WAIT_SECONDS,
)
BEFORE = Query(name="before", text="The `next` of the page before.")
LIMIT = Query(
    name="limit", text="Entries in one answer.", kind="whole", default=PAGE, most=LARGEST_PAGE
)
LARGE_LIMIT = Query(
    name="limit",
    text="Entries in one answer.",
    kind="whole",
    default=LARGEST_PAGE,
    most=LARGEST_PAGE,
)
ATTEMPT = Query(
    name="attempt", text="Which attempt; default the last.", kind="whole", most=1_000_000_000
)
TAIL = Query(
    name="tail",
    text="Only so many lines, the last, of at most 256 KiB.",
    kind="whole",
    most=100_000,
)
ARGUMENTS = Query(name="arguments", text="With what it was given.", kind="switch", default=False)
