"""Widgets that take plain data and emit signals; none of them knows of runs, configs or the engine."""
