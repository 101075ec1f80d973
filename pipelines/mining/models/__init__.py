"""The models that come with Loupan, one file each; a company's own stand in ``LOUPAN_MODELS_DIR``."""
