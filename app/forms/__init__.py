"""Forms made from the schema: one editor for each kind of option, a labelled field around it, a section of fields."""
