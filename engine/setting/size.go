package setting

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// sizeType is what the tag type says of a number of bytes. Libraries that read sizes take 1.5 for
// 1, 1,5 for 15 or M for a million; here a size that could mean something else is refused.
const sizeType = "size"

// SizeHelp explains sizes in help.
const SizeHelp = "A size is a number of bytes, or a whole number with a unit: K, M, G, T " +
	"(or KiB, MiB, GiB, TiB) multiply by powers of 1024, KB, MB, GB, TB by powers of 1000."

// sizeUnits are what may stand behind the number, in any case. K alone is 1024, as for nginx,
// systemd and ssedge tune from the beginning; so are Ki (Kubernetes) and KiB (GOMEMLIMIT). KB is
// 1000 (SI).
var sizeUnits = map[string]int64{
	"": 1, "B": 1,
	"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40,
	"KI": 1 << 10, "MI": 1 << 20, "GI": 1 << 30, "TI": 1 << 40,
	"KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
	"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
}

var sizeForm = regexp.MustCompile(`^(0|[1-9][0-9]*)( ?[A-Za-z]+)?$`)

// ParseSize reads a number of bytes.
func ParseSize(text string) (int64, error) {
	var unit int64
	parts := sizeForm.FindStringSubmatch(text)
	if parts != nil {
		unit = sizeUnits[strings.ToUpper(strings.TrimPrefix(parts[2], " "))]
	}
	if unit == 0 {
		return 0,
			fmt.Errorf("expected a whole number of bytes, or one with a unit, as in 64KiB, 8G "+
				"or 256MB, found %.40q", text)
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || n > math.MaxInt64/unit {
		return 0, fmt.Errorf("expected at most %d bytes, found %.40q", int64(math.MaxInt64), text)
	}
	return n * unit, nil
}

// FormatSize returns the shortest text that ParseSize reads as n again.
func FormatSize(n int64) string {
	for _, unit := range []string{"TiB", "GiB", "MiB", "KiB"} {
		if one := sizeUnits[strings.ToUpper(unit)]; n != 0 && n%one == 0 {
			return strconv.FormatInt(n/one, 10) + unit
		}
	}
	return strconv.FormatInt(n, 10)
}
