package report

import (
	"fmt"
	"html"
	"html/template"
	"strconv"
	"strings"
	"unicode/utf8"

	"ssedge/bench/result"
)

// The size of a plot, in the units of its own coordinates: it is as wide on the page as its column.
// Text is of this size in them, to be read when the column is 360 px wide as well as when it is
// 560.
const (
	width    = 430.0
	height   = 270.0
	textSize = 12.0
)

// What lies around the plane in which lines are drawn.
const (
	above     = 8.0
	below     = 42.0 // labels of ticks, and the name of the axis
	beside    = 14.0 // on the right: half of the last label
	nameWidth = 22.0 // on the left: the name of the axis, and labels of ticks, which are as wide as
	charWidth = 6.7  // so much for each character
	tickLong  = 4.0
	tickShort = 2.0
)

// lineStyle is how the lines of a server look: the number of the server in the run. With more
// servers than colours dashes tell those apart that share one. The page has the colours, s0 to s5;
// it has others in the dark.
type lineStyle int

const colours = 6

var dashes = []string{"", "6 3", "1.5 2.5", "8 3 1.5 3"}

func (k lineStyle) Colour() int { return int(k) % colours }

// Dash is SVG's stroke-dasharray.
func (k lineStyle) Dash() string { return dashes[int(k)/colours%len(dashes)] }

// picture is what is drawn in one plot.
type picture struct {
	x, y        result.Axis
	alt         string // text for readers who cannot see the picture
	percentiles bool
	lines       []line
}

// line is one curve. There is at least one point, and all have a place on the axes.
type line struct {
	lineStyle
	points [][2]float64
	glyphs bool
}

// canvas is an SVG document that is being written. The plane's corners are left and above, right
// and bottom.
type canvas struct {
	strings.Builder
	left, right, bottom float64
}

func (c *canvas) add(format string, args ...any) { fmt.Fprintf(c, format+"\n", args...) }

// number is a coordinate in as few characters as matter.
func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 32) }

func coordinate(v float64) string {
	return strings.TrimSuffix(strings.TrimRight(strconv.FormatFloat(v, 'f', 2, 64), "0"), ".")
}

func (c *canvas) segment(x0, y0, x1, y1 float64, colour string) {
	c.add(`<path d="M%s %sL%s %s" style="stroke:var(--%s);stroke-width:0.75"/>`, coordinate(x0),
		coordinate(y0), coordinate(x1), coordinate(y1), colour)
}

func (c *canvas) text(x, y float64, anchor, text, more string) {
	c.add(`<text x="%s" y="%s" text-anchor="%s" style="fill:var(--text);font-size:%spx"%s>%s</text>`,
		coordinate(x), coordinate(y), anchor, number(textSize), more, html.EscapeString(text))
}

// svg is the picture as an element of the page, in the page's colours and font.
func (p picture) svg() template.HTML {
	x, y := p.scales()
	widest := 0
	for _, t := range y.ticks {
		widest = max(widest, utf8.RuneCountInString(t.label))
	}
	c := &canvas{left: nameWidth + charWidth*float64(widest) + tickLong, right: width - beside,
		bottom: height - below}
	atX := func(v float64) float64 { return c.left + (c.right-c.left)*x.part(v) }
	atY := func(v float64) float64 { return c.bottom - (c.bottom-above)*y.part(v) }
	c.add(`<svg viewBox="0 0 %s %s" role="img" aria-label="%s">`, number(width), number(height),
		html.EscapeString(p.alt))
	for _, t := range y.ticks {
		if t.label != "" {
			c.segment(c.left, atY(t.value), c.right, atY(t.value), "grid")
			c.text(c.left-tickLong, atY(t.value)+textSize/3, "end", t.label, "")
		}
	}
	c.segment(c.left, c.bottom, c.right, c.bottom, "axis")
	for _, t := range x.ticks {
		long := tickShort
		if t.label != "" {
			long = tickLong
			c.text(atX(t.value), c.bottom+tickLong+textSize, "middle", t.label, "")
		}
		c.segment(atX(t.value), c.bottom, atX(t.value), c.bottom+long, "axis")
	}
	c.text((c.left+c.right)/2, height-6, "middle", x.label, "")
	middle := (above + c.bottom) / 2
	c.text(textSize, middle, "middle", y.label,
		fmt.Sprintf(` transform="rotate(-90 %s %s)"`, coordinate(textSize), coordinate(middle)))
	for _, l := range p.lines {
		c.curve(l, atX, atY)
	}
	c.WriteString("</svg>")
	return template.HTML(c.String())
}

func (c *canvas) curve(l line, atX, atY func(float64) float64) {
	if len(l.points) > 1 {
		var path strings.Builder
		for i, p := range l.points {
			path.WriteByte("ML"[min(i, 1)])
			path.WriteString(coordinate(atX(p[0])) + " " + coordinate(atY(p[1])))
		}
		dash := ""
		if l.Dash() != "" {
			dash = ";stroke-dasharray:" + l.Dash()
		}
		c.add(`<path d="%s" fill="none" style="stroke:var(--s%d);stroke-width:%s%s"/>`,
			path.String(), l.Colour(), number(l.width()), dash)
	}
	if l.glyphs {
		for _, p := range l.points {
			c.add(`<circle cx="%s" cy="%s" r="2.8" style="fill:var(--s%d)"/>`,
				coordinate(atX(p[0])), coordinate(atY(p[1])), l.Colour())
		}
	}
}

// width is less for what may go up and down at every point.
func (l line) width() float64 {
	if len(l.points) > 100 && !rising(l.points) {
		return 1.1
	}
	return 1.7
}

// scales are the axes that hold all points.
func (p picture) scales() (x, y scale) {
	var all [][][2]float64
	low, high := p.lines[0].points[0], p.lines[0].points[0]
	for _, l := range p.lines {
		all = append(all, l.points)
		for _, point := range l.points {
			for i, v := range point {
				low[i], high[i] = min(low[i], v), max(high[i], v)
			}
		}
	}
	if p.x.Log {
		x = logarithmic(p.x, low[0], high[0])
	} else {
		x = linear(p.x, low[0], high[0], false)
	}
	switch {
	case p.percentiles:
		y = percentileScale(p.y, all)
	case p.y.Log:
		y = logarithmic(p.y, low[1], high[1])
	default:
		y = linear(p.y, low[1], high[1], true)
	}
	return x, y
}
