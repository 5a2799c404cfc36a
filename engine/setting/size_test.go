package setting

import (
	"math"
	"strings"
	"testing"
)

// TestParseSize: what is taken, and that it reads back from its own text.
func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "17B": 17, "1048576": 1 << 20, "4K": 4096, "4k": 4096, "512M": 512 << 20,
		"8G": 8 << 30, "1T": 1 << 40,
		"64KiB": 64 << 10, "64 KiB": 64 << 10, "64Ki": 64 << 10, "3mib": 3 << 20, "1GiB": 1 << 30,
		"2Ti": 2 << 40,
		"5KB": 5000, "256MB": 256_000_000, "1gb": 1_000_000_000, "1TB": 1e12, "0MB": 0,
		"9223372036854775807": math.MaxInt64, "8388607T": 8388607 << 40,
	} {
		got, err := ParseSize(text)
		if err != nil || got != want {
			t.Errorf("%q is read as %d, %v", text, got, err)
		}
		if back, err := ParseSize(FormatSize(got)); err != nil || back != got {
			t.Errorf("%d is written as %s, which is read as %d, %v", got, FormatSize(got), back,
				err)
		}
	}
	for _, text := range []string{"", " ", "G", "-1", "-1G", "+1", "1.5G", "1,5G", "1.0", "1e6",
		"0x10", "010", "00", "1_000", "9999999999T", "8388608T", "9223372036854775808",
		"5XB", "5KiBs", "5 K B", "5  K", " 5", "5 ", "5K5", "K5", "5KK", "5Kb/s", "٣", "nonsense",
		"NaN", "Inf", "5\n", "5%"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		} else if !strings.Contains(err.Error(), "expected") {
			t.Errorf("%q: found %v, expected that it says what was expected", text, err)
		}
	}
}
