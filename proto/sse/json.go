package sse

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// AppendJSON appends an event as a JSON object: {"id":…,"topic":…,"event":…,"data":…}. body is
// its lines as [AppendBody] writes them. The id and the event's name are left out if there is none.
// data is the string that an EventSource hands out: its lines are joined by LF.
func AppendJSON(dst []byte, topic string, body, id []byte) []byte {
	dst = append(dst, '{')
	if len(id) > 0 {
		dst = append(appendQuoted(append(dst, `"id":`...), id), ',')
	}
	dst = appendQuoted(append(dst, `"topic":`...), topic)
	for lines := 0; len(body) > 0; {
		line, after, _ := bytes.Cut(body, []byte{'\n'})
		body = after
		name, value, _ := bytes.Cut(line, []byte{':'})
		value = trimSpace(value)
		switch string(name) {
		case "event":
			dst = appendQuoted(append(dst, `,"event":`...), value)
		case "data":
			if lines++; lines == 1 {
				dst = appendQuoted(append(dst, `,"data":`...), value)
				continue
			}
			// The quotation marks between the two lines make room for the line break.
			between := len(dst) - 1
			dst = appendQuoted(dst, value)
			copy(dst[between:], `\n`)
		}
	}
	return append(dst, '}')
}

// appendQuoted appends a string of JSON. Bytes that are no UTF-8 become U+FFFD, as in a [Decoder].
func appendQuoted[B ~[]byte | ~string](dst []byte, s B) []byte {
	dst, _ = jsontext.AppendQuote(dst, s) // the error says that some were replaced
	return dst
}
