"""Values to bytes and back; a codec is used only when exact."""
