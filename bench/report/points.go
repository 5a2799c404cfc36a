package report

import (
	"math"

	"ssedge/bench/result"
)

const (
	pointsMax = 600 // of a line: more are not told apart at the width of a page
	glyphsMax = 20  // a curve of so few points shows each
)

// Beyond these a range cannot be computed in float64 without care that no measurement needs.
const (
	hugest    = 1e300
	slightest = 1e-300
)

// drawable is the points that have a place on these axes: finite, and above 0 where an axis is
// logarithmic. omitted is how many there are that only lack a place on a logarithmic one.
func drawable(points [][2]float64, x, y result.Axis) (kept [][2]float64, omitted int) {
	for _, p := range points {
		if !finite(p[0]) || !finite(p[1]) || math.Abs(p[0]) > hugest || math.Abs(p[1]) > hugest {
			continue
		}
		if x.Log && p[0] < slightest || y.Log && p[1] < slightest {
			omitted++
			continue
		}
		kept = append(kept, p)
	}
	return kept, omitted
}

// thin leaves at most pointsMax points: the first, the last, and of each of equal parts between
// them the lowest and the highest, so that no peak is lost.
func thin(points [][2]float64) [][2]float64 {
	if len(points) <= pointsMax {
		return points
	}
	const parts = (pointsMax - 2) / 2
	inner := points[1 : len(points)-1]
	kept := [][2]float64{points[0]}
	for i := range parts {
		part := inner[i*len(inner)/parts : (i+1)*len(inner)/parts]
		low, high := 0, 0
		for j, p := range part {
			if p[1] < part[low][1] {
				low = j
			}
			if p[1] > part[high][1] {
				high = j
			}
		}
		kept = append(kept, part[min(low, high)])
		if low != high {
			kept = append(kept, part[max(low, high)])
		}
	}
	return append(kept, points[len(points)-1])
}

// rising reports whether neither coordinate ever falls, as in a distribution.
func rising(points [][2]float64) bool {
	for i := 1; i < len(points); i++ {
		if points[i][0] < points[i-1][0] || points[i][1] < points[i-1][1] {
			return false
		}
	}
	return true
}
