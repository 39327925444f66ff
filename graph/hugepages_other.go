//go:build !linux

package graph

// roomFor makes room for n values.
func roomFor[T any](n int) []T { return make([]T, n) }
