"""People's text on its way in: files and folders, encodings, cleaning, built-in stories, baselines."""
