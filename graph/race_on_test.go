//go:build race

package graph_test

// raceDetector makes a pool drop what it is given, now and then.
const raceDetector = true
