"""WHAT happened and what was made: the ledger, the blobs, the logs."""
