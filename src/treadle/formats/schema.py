"""The JSON Schema (2020-12) of a pipeline file, for editors and other programs.

Made from `definition`, and made narrower where its classes are wider than what is accepted.
"""

import json
from typing import Any

import msgspec

from treadle.formats.definition import FREE, WHAT_RUNS, EnvironmentOptions, PipelineDefinition
from treadle.formats.parameter_types import DIALECT, KEYWORDS, NAME
from treadle.formats.steps import STEP_NAME

_TEMPLATE = {
    "type": "string",
    "pattern": r"^\$\{[^{}]+\}$",
    "description": "A parameter of the pipeline, with its type: ${name}.",
}
_STRUCTURE = ("steps", "name", "description", "parameters", "env", "environments")
_TYPES = ["string", "integer", "number", "boolean", "array", "object", "null"]


def schema() -> dict[str, Any]:
    """The schema of a whole file."""
    made = msgspec.json.schema(PipelineDefinition)
    definitions: dict[str, Any] = made["$defs"]
    pipeline = definitions.pop(PipelineDefinition.__name__)
    step = definitions["StepDefinition"]
    for part in (pipeline, step, definitions[EnvironmentOptions.__name__]):
        _allow_templates(part["properties"])
    step["oneOf"] = [{"required": [key]} for key in WHAT_RUNS]
    step["properties"]["inputs"]["additionalProperties"] = {"$ref": "#/$defs/Input"}
    pipeline["patternProperties"] = {f"^{FREE}": {"description": "For your own use."}}
    pipeline["properties"]["steps"]["propertyNames"] = {"pattern": f"^{STEP_NAME.pattern}$"}
    parameters = pipeline["properties"]["parameters"]
    parameters["propertyNames"] = {"pattern": f"^{NAME.pattern}$"}
    parameters["additionalProperties"] = {
        "anyOf": [
            {"type": [kind for kind in _TYPES if kind != "object"], "description": "A default."},
            {"$ref": "#/$defs/Parameter"},
        ]
    }
    definitions |= {"Input": _input(), "Parameter": _parameter()}
    return {"$schema": DIALECT, **pipeline, "title": "Treadle pipeline", "$defs": definitions}


def schema_text() -> str:
    """The schema as it is published."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def _allow_templates(properties: dict[str, Any]) -> None:
    """Where a value is no text, a parameter may stand for it."""
    for name, each in properties.items():
        if name in _STRUCTURE or {"type": "string"} in each.get("anyOf", [each]):
            continue
        about = {key: each[key] for key in ("description", "examples") if key in each}
        rest = {key: value for key, value in each.items() if key not in about}
        if rest.get("type") == "string":
            continue
        alternatives = rest.get("anyOf") or [rest]
        properties[name] = {**about, "anyOf": [*alternatives, _TEMPLATE]}


def _input() -> dict[str, Any]:
    again = {"$ref": "#/$defs/Input"}
    return {
        "description": "`step`, `step.output`, or a list or mapping of these.",
        "anyOf": [
            {"type": "string", "minLength": 1},
            {"type": "array", "items": again},
            {"type": "object", "additionalProperties": again},
        ],
    }


def _parameter() -> dict[str, Any]:
    kind = {"enum": _TYPES}
    shapes: dict[str, Any] = {
        "type": {"anyOf": [kind, {"type": "array", "items": kind, "minItems": 1}]},
        "enum": {"type": "array", "minItems": 1},
        "default": {"description": "Left out, every run has to give a value."},
        "description": {"type": "string"},
        "title": {"type": "string"},
        "examples": {"type": "array"},
        "pattern": {"type": "string", "format": "regex"},
        "items": {"$ref": "#/$defs/Parameter"},
    }
    whole = {"type": "integer", "minimum": 0}
    for keyword in KEYWORDS:
        counts = keyword in ("minLength", "maxLength", "minItems", "maxItems")
        shapes.setdefault(keyword, whole if counts else {"type": "number"})
    return {
        "description": "The JSON Schema of one parameter.",
        "type": "object",
        "properties": {keyword: shapes[keyword] for keyword in KEYWORDS},
        "additionalProperties": False,
    }
