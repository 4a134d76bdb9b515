"""The window of Transformer Playground: pages, widgets and theme; it never imports torch."""
