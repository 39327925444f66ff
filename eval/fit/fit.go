// Package fit fits.
package fit
