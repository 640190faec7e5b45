"""What `treadle doctor` examines, a module for each part. A check looks, and changes nothing."""
