// Runs before the first paint, so that a chosen theme does not flash in the other one. Not a
// module: modules run too late. theme.js does the rest.
{
  const chosen = localStorage.getItem('clickledger-theme')
  if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen
}
