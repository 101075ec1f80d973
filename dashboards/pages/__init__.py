"""The pages: each reads the view, asks the gateway and hands the answer to a chart."""
