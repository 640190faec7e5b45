"""The JSON shapes of the doors, and their mapping to and from the model.

`bodies` and `answers` are the shapes where the wire differs from the records of the model;
`json_schema` makes JSON Schema of both.
"""
