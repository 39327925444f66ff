package world

import (
	"math/rand/v2"
	"strings"
)

// review writes what a reader thinks: an opening by the stars, something on
// the book, sometimes a closing.
func review(rng *rand.Rand, lib *library, b book, stars int) string {
	openings := [][]string{
		{"I gave up halfway.", "Not for me at all.", "A long way to nothing."},
		{"I wanted to like this more.", "It has its moments, few of them.", "Good idea, tired telling."},
		{"A decent read.", "Neither here nor there.", "Fine for a train ride."},
		{"I enjoyed this a lot.", "Better than I expected.", "A strong book with small flaws."},
		{"I could not put it down.", "One of my favourites this year.", "Read it twice already."},
	}
	author, genre := lib.authors[b.author].name, strings.ToLower(lib.genres[b.genre].name)
	middles := []string{
		author + " knows how to end a chapter.",
		"The part about " + pick(rng, lib.genres[b.genre].themes) + " stays with me.",
		"As " + genre + " goes, it follows the rules.",
		"The people in it talk like people.",
		"The pace drags in the middle.",
		"You notice that " + author + " has done this before.",
	}
	if b.series >= 0 {
		middles = append(middles, "Read the volumes in order.", "The series keeps its promise.")
	}
	closings := [][]string{
		{"I would not recommend it.", "My copy is looking for a home."},
		{"Perhaps for patient readers.", "I hope the next one is better."},
		{"I may try another by the author.", "It passes the time."},
		{"I will look for more " + genre + " like this.", "Recommended."},
		{"I have ordered everything by " + author + ".", "Give it to a friend."},
	}
	sentences := []string{pick(rng, openings[stars-1]), pick(rng, middles)}
	if rng.Float64() < 0.5 {
		sentences = append(sentences, pick(rng, closings[stars-1]))
	}
	return strings.Join(sentences, " ")
}
