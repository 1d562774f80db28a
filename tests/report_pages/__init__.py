"""Plans for the tests of the review page, and a reader of the page."""
