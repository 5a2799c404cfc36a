package eventid

import (
	"bytes"
	"strconv"
)

// The parts of a vector, "1.<check>.<pos>.<pos>…", at their longest.
const (
	vectorVersion    = "1"
	checkBytesMax    = 7           // a uint32 in base 36
	position36Bytes  = 13 + 1 + 13 // two uint64 in base 36 and a dash
	vectorHeadBytes  = len(vectorVersion) + 1 + checkBytesMax
	vectorTopicBytes = 1 + position36Bytes
)

var dot = []byte{'.'}

// VectorBytesMax bounds the length of the vector of a stream with that many topics, in bytes.
func VectorBytesMax(topics int) int { return vectorHeadBytes + topics*vectorTopicBytes }

// Check folds one more topic name into the check of a vector. It begins with
// seed 0 and takes the topics in the order of their names:
//
//	check := uint32(0)
//	for _, topic := range topics {
//		check = eventid.Check(check, topic)
//	}
//
// It is 32-bit FNV-1a over each name preceded by its length, so "ab","c" and
// "a","bc" differ as much as any two lists do. Its values are in ids that
// clients hold: changing it makes every outstanding vector a refused one.
func Check(seed uint32, topic string) uint32 {
	const offset, prime = 2166136261, 16777619
	h := seed ^ offset
	h = (h ^ uint32(len(topic))) * prime
	for i := range len(topic) {
		h = (h ^ uint32(topic[i])) * prime
	}
	return h
}

// AppendVectorHeader appends the start of a vector, "1.<check>".
func AppendVectorHeader(dst []byte, check uint32) []byte {
	dst = append(dst, vectorVersion...)
	dst = append(dst, '.')
	return strconv.AppendUint(dst, uint64(check), 36)
}

// AppendVectorPosition appends the next topic's position to a vector, ".<pos>".
func AppendVectorPosition(dst []byte, p Position) []byte {
	return p.AppendBase36(append(dst, '.'))
}

// ParseVector reads a vector of exactly len(dst) positions into dst and returns it. It is false for
// another version, check or number of positions and for anything not canonical; dst may then have
// been written to in part. s is not kept.
func ParseVector(s []byte, check uint32, dst []Position) ([]Position, bool) {
	version, rest, _ := bytes.Cut(s, dot)
	if string(version) != vectorVersion {
		return nil, false
	}
	field, rest, more := bytes.Cut(rest, dot)
	if n, ok := parseUint(field, 36); !ok || n != uint64(check) {
		return nil, false
	}
	for i := range dst {
		if !more { // fewer positions than topics
			return nil, false
		}
		field, rest, more = bytes.Cut(rest, dot)
		p, ok := parsePosition(field, 36)
		if !ok {
			return nil, false
		}
		dst[i] = p
	}
	if more { // more positions than topics, or a dot at the end
		return nil, false
	}
	return dst, true
}
