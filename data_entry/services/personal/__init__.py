"""What the company holds about one person: all of it handed over, or erased for good.

`belongings` finds the rows, `columns` says what each column is to a person, `export` writes them out, `erase` takes the
person out of them, `copies` out of what was made of them.
"""
