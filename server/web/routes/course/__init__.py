"""The course: problems with answers, and trainings with a mistake."""
