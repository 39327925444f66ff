package training

// Sizes names the students that are made from nothing, the smallest first, as
// the trainer's student.py has them.
func Sizes() []string { return []string{"smoke", "1m", "2m", "5m", "20m", "100m"} }

// Rankings names the ways in which a ranking is read off a student, as the
// trainer's sample.py has them; the first is what is done unasked.
func Rankings() []string { return []string{"free", "distinct", "first"} }

// Presets names the settings that come with the trainer, as its presets.py has
// them.
func Presets() []string { return []string{"paper", "scratch", "smoke"} }
