"""What it costs to run agents as processes: one module for each row."""
