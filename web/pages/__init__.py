"""The operator's pages: one file a noun; each reads through web.queries and acts through the pipelines."""
