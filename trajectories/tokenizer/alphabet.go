package tokenizer

// The byte-level alphabet of GPT-2: each byte has a printable character, so
// that vocabularies can be written as text. Bytes that print in Latin-1 are
// themselves, the others are U+0100 and up, in order.

// alphabet returns the character of each byte, and the byte of each character.
func alphabet() (runes [256]rune, bytes map[rune]byte) {
	bytes = make(map[rune]byte, 256)
	next := rune(0x100)
	for b := range runes {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae) {
			r = next
			next++
		}
		runes[b], bytes[r] = r, byte(b)
	}
	return runes, bytes
}
