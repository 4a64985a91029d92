#!/bin/sh
# Makes demo.mp4, the clip inside `peerflix demo`: a minute of a fractal zoom with a clock and a melody, free of anybody's
# rights because ffmpeg computes all of it. H.264 and AAC, `moov` first, about 2 MB. Needed only to change the clip.
#     sh assets/make-demo.sh            (Debian: apt-get install ffmpeg fonts-dejavu-core)
set -e
cd "$(dirname "$0")"
ffmpeg -v error -y \
  -f lavfi -i "mandelbrot=size=854x480:rate=24:start_scale=2.6:end_scale=0.00002:end_pts=1440:maxiter=2000:inner=convergence" \
  -f lavfi -i "aevalsrc=exprs='0.22*sin(2*PI*t*220*pow(2\,floor(mod(t*2\,8))*2/12))*exp(-2.2*mod(t*2\,1))+0.14*sin(2*PI*t*110*pow(2\,floor(mod(t/2\,4))*5/12))*exp(-0.9*mod(t\,2))':s=44100:c=mono" \
  -t 60 \
  -vf "drawtext=text='peerflix  %{pts\:hms}':x=24:y=h-48:fontsize=28:fontcolor=white:box=1:boxcolor=black@0.5:boxborderw=8" \
  -c:v libx264 -preset slow -profile:v high -pix_fmt yuv420p -b:v 260k -maxrate 400k -bufsize 800k -g 48 \
  -c:a aac -b:a 64k -ac 2 -metadata title="peerflix demo" -movflags +faststart demo.mp4
