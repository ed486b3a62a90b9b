'use strict';
(() => {
  const AT_ONCE = 50;
  const by = id => document.getElementById(id);
  const { names, entries } = JSON.parse(by('entries').textContent);
  const [TITLE, PATH, DAY, MESSAGES, MODELS, SOURCE, ORGANIZATION, KIND, MARKS, BEGINNING] = Array(10).keys();
  const folded = text => (/[^\x00-\x7f]/.test(text) ? text.normalize('NFKD').replace(/\p{M}/gu, '') : text).toLowerCase();
  const digits = new Uint8Array(128);
  [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'].forEach((each, at) => { digits[each.charCodeAt(0)] = at; });
  const unparted = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]+/g;
  let known, places, titles, newest;

  // Not needed to show the page: done when it is shown.
  const prepare = () => {
    if (known) return;
    titles = entries.map(entry => folded(entry[TITLE]));
    newest = entries.map((_, at) => at).sort((a, b) =>
      entries[a][DAY] < entries[b][DAY] ? 1 : entries[a][DAY] > entries[b][DAY] ? -1 : b - a);
    const [line, rest] = by('words').textContent.split('\n');
    known = line ? line.split(' ') : [];
    places = rest ? rest.split(' ') : [];
  };

  const words = query => {
    const found = [];
    for (const [word] of folded(query).matchAll(/[\p{L}\p{N}_]+/gu)) {
      let end = 0;
      for (const run of word.matchAll(unparted)) {
        if (run.index > end) found.push([word.slice(end, run.index), false]);
        end = run.index + run[0].length;
        if (run[0].length === 1) found.push([run[0], false]);
        for (let at = 0; at + 1 < run[0].length; at++) found.push([run[0].slice(at, at + 2), true]);
      }
      if (end < word.length) found.push([word.slice(end), false]);
    }
    return found;
  };

  // A word finds what begins with it; a pair of letters only itself.
  const having = ([word, whole]) => {
    const found = new Uint8Array(entries.length);
    titles.forEach((title, at) => { if (title.includes(word)) found[at] = 1; });
    let low = 0, high = known.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (known[middle] < word) low = middle + 1; else high = middle;
    }
    for (; low < known.length && (whole ? known[low] === word : known[low].startsWith(word)); low++) {
      const text = places[low];
      let number = -1, gap = 0, shift = 0;
      for (let at = 0; at < text.length; at++) {
        const digit = digits[text.charCodeAt(at)];
        gap += (digit & 31) << shift;
        shift += 5;
        if (digit < 32) {
          number += gap + 1;
          found[number] = 1;
          gap = shift = 0;
        }
      }
    }
    return found;
  };

  const make = (tag, text, values) => Object.assign(document.createElement(tag), { textContent: text ?? '' }, values);
  const filters = [
    ['year', 'Year', entry => [entry[DAY].slice(0, 4) || 'undated']],
    ['model', 'Model', entry => entry[MODELS].map(at => names[at])],
    ['source', 'Source', entry => [names[entry[SOURCE]]]],
    ['organization', 'Organization', entry => [names[entry[ORGANIZATION]]]],
    ['kind', 'Kind', entry => [names[entry[KIND]]]],
    ['mark', 'Marked', entry => entry[MARKS].map(at => names[at])],
  ].map(([id, label, of]) => ({ id, label, of }));

  for (const filter of filters) {
    const counts = new Map();
    let without = false;
    for (const entry of entries) {
      const values = filter.of(entry).filter(Boolean);
      without ||= !values.length;
      for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    filter.select = make('select', '', { id: filter.id });
    filter.select.append(make('option', `${filter.label}: all`, { value: '' }));
    const values = [...counts.keys()].sort();
    if (filter.id === 'year') values.reverse();
    for (const value of values) filter.select.append(make('option', `${value} (${counts.get(value)})`, { value }));
    filter.select.setAttribute('aria-label', filter.label);
    if (counts.size > 1 || (counts.size && without)) by('reset').before(filter.select);
  }

  let shown = AT_ONCE;
  const row = (at, query) => {
    const entry = entries[at];
    const item = make('li');
    const fragment = query && !titles[at].includes(query) ? '#:~:text=' + encodeURIComponent(query) : '';
    const link = make('a', entry[TITLE], { href: entry[PATH] + fragment, dir: 'auto' });
    const parts = [entry[DAY] || 'undated', names[entry[SOURCE]], `${entry[MESSAGES]} message${entry[MESSAGES] === 1 ? '' : 's'}`];
    if (names[entry[KIND]] !== 'chat') parts.unshift(names[entry[KIND]]);
    parts.push(...entry[MARKS].map(mark => names[mark]));
    item.append(link, make('small', parts.filter(Boolean).join(' · ')));
    if (entry[BEGINNING]) item.append(make('p', entry[BEGINNING], { dir: 'auto' }));
    return item;
  };

  const update = () => {
    const query = by('query').value.trim();
    const wanted = filters.filter(filter => filter.select.value);
    const active = query || wanted.length;
    by('found').hidden = !active;
    by('everything').hidden = active;
    by('reset').hidden = !active;
    if (!active) {
      by('count').textContent = '';
      return;
    }
    prepare();
    const sets = words(query).map(having);
    const hits = newest.filter(at =>
      sets.every(set => set[at]) &&
      wanted.every(filter => filter.of(entries[at]).includes(filter.select.value)));
    by('count').textContent = `${hits.length.toLocaleString('en')} conversation${hits.length === 1 ? '' : 's'} found`;
    by('results').replaceChildren(...hits.slice(0, shown).map(at => row(at, folded(query))));
    by('more').hidden = hits.length <= shown;
  };
  const anew = () => { shown = AT_ONCE; update(); };

  by('search').hidden = false;
  by('search').addEventListener('submit', event => event.preventDefault());
  by('search').addEventListener('input', anew);
  by('search').addEventListener('reset', () => setTimeout(anew));
  by('more').addEventListener('click', () => { shown += AT_ONCE; update(); });
  // A browser that goes back to the page brings what was typed.
  addEventListener('pageshow', update);
  (self.requestIdleCallback ?? setTimeout)(prepare);
})();
