#!/bin/sh
# Draws the icons anew from their sources. Needs ImageMagick with SVG (Debian: imagemagick librsvg2-bin).
set -eu
cd "$(dirname "$0")"
draw() { # source, size, target
    convert -background none -density 600 "source/$1.svg" -resize "$2x$2" -depth 8 "PNG32:$3"
}
draw app 512 icon.png
draw app 32 32x32.png
draw app 128 128x128.png
draw app 256 128x128@2x.png
for state in running paused stopped; do
    draw "tray-$state" 64 "tray-$state.png"
done
convert 128x128@2x.png -define icon:auto-resize=256,64,48,32,16 icon.ico
