package training

// Sizes names the students that are made from nothing, the smallest first, as
// the trainer's student.py has them.
func Sizes() []string { return []string{"smoke", "1m", "2m", "5m", "20m", "100m"} }

// Presets names the settings that come with the trainer, as its presets.py has
// them.
func Presets() []string { return []string{"paper", "scratch", "smoke"} }
