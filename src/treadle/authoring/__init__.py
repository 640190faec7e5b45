"""What a user writes with: @tool, @pipeline, tracing, bundles."""
