package budget

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Amount is an amount of money in a currency that is known from elsewhere, in
// 10^-12 of its unit. Sums are exact; what does not fit is the largest amount
// there is, which no budget has.
type Amount int64

// One is one unit of the currency.
const One Amount = 1_000_000_000_000

// decimals are the digits after the point that an amount is read with: the
// price of a single token at a price for a million of them is then exact.
const decimals = 6

// Parse reads an amount written as a plain decimal, such as 5, 0.15 or 12.50:
// not negative, below a million, with at most six decimals.
func Parse(s string) (Amount, error) {
	a, ok := parse(s, 6, decimals)
	if !ok {
		return 0, fmt.Errorf("%q is not an amount: want a decimal such as 5 or 0.15, below 1000000, with at most %d decimals", s, decimals)
	}
	return a, nil
}

// parse reads a decimal with so many digits at most before and after the point.
func parse(s string, before, behind int) (Amount, bool) {
	whole, fraction, point := strings.Cut(s, ".")
	digits := func(s string) bool { return strings.Trim(s, "0123456789") == "" }
	if whole == "" || (point && fraction == "") || !digits(whole) || !digits(fraction) || len(whole) > before || len(fraction) > behind {
		return 0, false
	}
	n, err := strconv.ParseInt(whole+fraction+strings.Repeat("0", 12-len(fraction)), 10, 64)
	return Amount(n), err == nil
}

// String writes the amount with two decimals at least and all that it has.
func (a Amount) String() string {
	if a == 0 {
		return "0.00"
	}
	sign := ""
	if a < 0 {
		sign, a = "-", -max(a, -math.MaxInt64)
	}
	fraction := strings.TrimRight(fmt.Sprintf("%012d", a%One), "0")
	return fmt.Sprintf("%s%d.%s", sign, a/One, fraction+strings.Repeat("0", max(0, 2-len(fraction))))
}

// Round is the amount rounded up to millionths, to be shown.
func (a Amount) Round() Amount {
	const unit = One / 1_000_000
	if rest := a % unit; rest > 0 && a < math.MaxInt64-unit {
		a += unit - rest
	}
	return a
}

// MarshalJSON writes the amount as a number, exactly.
func (a Amount) MarshalJSON() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalJSON reads what MarshalJSON writes.
func (a *Amount) UnmarshalJSON(b []byte) error {
	parsed, ok := parse(string(b), 7, 12)
	if !ok {
		return fmt.Errorf("%s is not an amount", b)
	}
	*a = parsed
	return nil
}

// UnmarshalYAML reads an amount as it is written, so that no binary fraction
// comes between.
func (a *Amount) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: want an amount such as 0.15", n.Line)
	}
	parsed, err := Parse(n.Value)
	if err != nil {
		return fmt.Errorf("line %d: %w", n.Line, err)
	}
	*a = parsed
	return nil
}

// plus and times are exact, or the largest amount there is.
func (a Amount) plus(b Amount) Amount {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func (a Amount) times(n int) Amount {
	high, low := bits.Mul64(uint64(a), uint64(max(0, n)))
	if high > 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return Amount(low)
}
