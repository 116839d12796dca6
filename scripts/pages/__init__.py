"""The HTML pages of this project: one style, one module of charts, one base template that every page extends.

A page's template lies beside the module that fills it (`scripts/dataset/data_report.html.j2`); it extends
`pages/base.html.j2`. Jinja escapes everything that is inserted, and the page asks no other host for anything.
"""
