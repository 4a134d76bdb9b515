"""Looking inside a model: who attends to whom, in views small enough to draw."""
