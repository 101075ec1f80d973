"""Statistics of counts and courses, free of pages and tables: numbers in, numbers out."""
