"""The ledger against a simple model of it: whatever is tried, both agree."""

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from samples import NOW, a_job, a_run, a_submission, a_tool
from treadle.errors import StaleMove, UnlawfulMove
from treadle.model.states import JOB_ENDS, JOB_LEASED, JOB_MOVES, JobEvent, JobState
from treadle.storage.ledger.sqlite import SqliteLedger


class LedgerAndModel(RuleBasedStateMachine):
    """Jobs are moved by holders whose knowledge may be old; the model is a dict of the newest."""

    def __init__(self):
        super().__init__()
        self.ledger = SqliteLedger(":memory:")
        self.run = a_run(jobs_total=3, jobs_left=3)
        self.newest = {}
        self.known = []  # what holders remember, old and new
        self.diary = ["run.created"]

        def set_up(books):
            for owner in ("own_1", "own_2"):
                books.add_owner(owner, 1, NOW)
            books.add_tools([a_tool()], NOW)
            books.add_pipeline(a_submission({}).pipeline, NOW)
            books.add_run(self.run)
            jobs = [a_job(self.run.id, step, state=JobState.WAITING) for step in "abc"]
            books.add_jobs([(job, {}) for job in jobs], [])
            return jobs

        for job in self.ledger.write_now(set_up):
            self._learn(job)

    def _learn(self, job):
        self.newest[job.id] = job
        self.known.append(job)

    @precondition(lambda self: self.known)
    @rule(
        data=st.data(),
        event=st.sampled_from(JobEvent),
        owner=st.sampled_from(["own_1", "own_2"]),
    )
    def move(self, data, event, owner):
        held = data.draw(st.sampled_from(self.known))
        changes = {}
        if event is JobEvent.LEASED:
            changes = {"owner": owner, "attempt": held.attempt + 1}
        elif event in (JobEvent.LOST, JobEvent.RETRIED):
            changes = {"owner": None}

        def move(books):
            after = books.move_job(held, event, NOW, **changes)
            if held.state in JOB_LEASED and after.state not in JOB_LEASED:
                books.close_attempt(held, "lost", NOW)
            return after

        newest = self.newest[held.id]
        fence = (newest.state, newest.attempt, newest.owner)
        if (held.state, event) not in JOB_MOVES:
            expected = UnlawfulMove
        elif (held.state, held.attempt, held.owner) != fence:
            expected = StaleMove
        else:
            expected = None
        try:
            after = self.ledger.write_now(move)
        except (UnlawfulMove, StaleMove) as error:
            assert type(error) is expected
        else:
            assert expected is None
            assert after.state is JOB_MOVES[held.state, event]
            self._learn(after)
            self.diary.append(f"job.{event}")

    @invariant()
    def the_ledger_says_what_the_model_says(self):
        jobs = {job.id: job for job in self.ledger.read(lambda b: b.jobs_of(self.run.id))}
        assert {k: replace(v, position=0) for k, v in jobs.items()} == self.newest

    @invariant()
    def the_diary_has_a_line_for_each_move_and_no_other(self):
        events = self.ledger.read(lambda b: b.events(stream=self.run.id, after=0, limit=999))
        assert [event.kind for event in events] == self.diary
        assert [event.number for event in events] == list(range(1, len(events) + 1))

    @invariant()
    def a_job_ends_once_and_has_at_most_one_open_attempt(self):
        for job_id, job in self.newest.items():
            attempts = self.ledger.read(lambda b, i=job_id: b.attempts_of(i))
            assert [a.number for a in attempts] == list(range(1, job.attempt + 1))
            still_open = [a for a in attempts if a.ended_at is None]
            assert len(still_open) == (job.state in JOB_LEASED)
            assert (job.ended_at is not None) == (job.state in JOB_ENDS)

    def teardown(self):
        self.ledger.close()


TestLedgerAndModel = LedgerAndModel.TestCase
TestLedgerAndModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
