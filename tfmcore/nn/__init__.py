"""The blocks transformers are made of; they take plain arguments and know no config.

Shapes everywhere: B batch, T queries, S keys, D width, H heads, K key/value heads, E head width, V vocabulary.
"""
