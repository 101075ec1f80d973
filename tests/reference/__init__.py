"""An independent computation of every metric, in plain Python, from the raw CRM tables alone."""
