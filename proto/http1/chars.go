package http1

// class holds the character classes of a byte as bits.
type class uint8

const (
	tokenByte class = 1 << iota // tchar, RFC 9110 5.6.2
	valueByte                   // field-vchar, SP, HTAB: RFC 9110 5.5
	pathByte                    // may stand in a path, '%' and '?' aside
	queryByte                   // may stand in a query, '%' aside
	hostByte                    // unreserved or sub-delims: reg-name of RFC 3986 3.2.2 without '%'
	ip6Byte                     // may stand between the brackets of an IPv6 literal
	hexByte                     // HEXDIG in either case
	digitByte
)

var classes = classTable()

func classTable() (t [256]class) {
	mark := func(k class, set string) {
		for i := range len(set) {
			t[set[i]] |= k
		}
	}
	const (
		digits = "0123456789"
		hex    = digits + "abcdefABCDEF"
		alpha  = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	)
	mark(digitByte, digits)
	mark(hexByte, hex)
	mark(ip6Byte, hex+":.")
	mark(tokenByte, digits+alpha+"!#$%&'*+-.^_`|~")
	mark(hostByte, digits+alpha+"-._~"+"!$&'()*+,;=")
	for c := range 256 {
		if c == '\t' || c >= ' ' && c != 0x7f {
			t[c] |= valueByte
		}
		if c > ' ' && c < 0x7f && c != '#' && c != '%' {
			t[c] |= queryByte
			if c != '?' && c != '\\' {
				t[c] |= pathByte
			}
		}
	}
	return t
}

func (k class) has(c byte) bool { return classes[c]&k != 0 }

// run returns how many leading bytes of s are of class k.
func (k class) run(s []byte) int {
	for i, c := range s {
		if classes[c]&k == 0 {
			return i
		}
	}
	return len(s)
}

// all reports whether s consists of bytes of class k; true for an empty s.
func (k class) all(s []byte) bool { return k.run(s) == len(s) }

// equalFold reports whether s is lower, ASCII letters of s taken in either case.
// lower must be lower-case.
func equalFold(s []byte, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i, c := range s {
		if lowerByte(c) != lower[i] {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c | 0x20
	}
	return c
}

// trimBlanks removes optional whitespace (OWS, RFC 9110 5.6.3) from both ends.
func trimBlanks(s []byte) []byte {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for len(s) > 0 && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

// unhex returns the value of a hexByte.
func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return lowerByte(c) - 'a' + 10
}
