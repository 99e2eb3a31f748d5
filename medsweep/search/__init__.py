"""What is tried next: studies, early stopping, the strategies grid and frontier."""
