"""Pictures of a pipeline or a run: text, mermaid, Graphviz's dot, SVG. Pure."""
