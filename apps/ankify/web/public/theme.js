// Before the first paint, so that a page that was set to dark never flashes white. Inline scripts are refused by the policy.
try {
  const theme = localStorage.getItem('ankify-theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // A browser that keeps nothing follows the system.
}
