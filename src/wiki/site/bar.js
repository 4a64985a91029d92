// The bar's living parts: what the swarm does for this page, and titles while one types. Pages can be read without it.
(function () {
  'use strict';
  var bar = document.getElementById('peerflix-bar');
  if (!bar || bar.dataset.alive) return;
  bar.dataset.alive = '1';
  var book = bar.dataset.book;
  var swarm = document.getElementById('peerflix-swarm');
  var quiet = 0;
  function look() {
    fetch('/peerflix/status.json?content=' + book).then(function (answer) { return answer.json(); }).then(function (status) {
      swarm.textContent = status.text;
      swarm.title = status.text;
      // While nothing happens nobody needs to ask every second.
      quiet = status.waiting ? 0 : Math.min(quiet + 1, 9);
      setTimeout(look, 1000 + quiet * 1000);
    }).catch(function () {
      swarm.textContent = 'peerflix has ended';
      setTimeout(look, 10000);
    });
  }
  look();
  var input = bar.querySelector('input[type=search]');
  var list = bar.querySelector('datalist');
  var asked = '';
  var timer = 0;
  input.addEventListener('input', function () {
    clearTimeout(timer);
    timer = setTimeout(function () {
      var term = input.value.trim();
      if (term.length < 2 || term === asked) return;
      asked = term;
      fetch('/suggest?content=' + book + '&term=' + encodeURIComponent(term)).then(function (answer) { return answer.json(); })
        .then(function (found) {
          if (term !== asked) return;
          list.textContent = '';
          found.forEach(function (one) {
            if (one.kind !== 'path') return;
            var option = document.createElement('option');
            option.value = one.value;
            list.appendChild(option);
          });
        }).catch(function () {});
    }, 150);
  });
})();
