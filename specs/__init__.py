"""The flow language: text -> positioned tree -> typed model -> diagnostics. Pure: no clock, no file, no network."""
