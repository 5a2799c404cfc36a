package main

import (
	"fmt"
	"io"
	"regexp"
	"strings"
)

// looksLikePattern finds what stands for other topics elsewhere: * here in --anonymous, # and + in
// MQTT, > in NATS.
var looksLikePattern = regexp.MustCompile(`\*|(^|[/.])[#+>]($|[/.])`)

// hintAtNames says that topics which look like a pattern or a list are names. They are allowed, so
// nothing else would. several is how the command takes several topics.
func hintAtNames(w io.Writer, several string, topics ...string) {
	for _, topic := range topics {
		switch {
		case looksLikePattern.MatchString(topic):
			fmt.Fprintf(w,
				"ssedge: %.80q is the name of one topic: nothing in a name stands for others\n",
				topic)
		case strings.Contains(topic, ","):
			fmt.Fprintf(w, "ssedge: %.80q is the name of one topic: %s\n", topic, several)
		case strings.Trim(topic, " ") != topic:
			fmt.Fprintf(w, "ssedge: %.80q is the name of a topic: blanks count\n", topic)
		}
	}
}
