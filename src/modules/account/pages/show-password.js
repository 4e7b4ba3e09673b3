// Shows a checkbox that reveals the password. Without scripts, the form works without it.
const box = document.getElementById('show_password')
const fields = [...document.querySelectorAll('input[type="password"]')]
const show = (isShown) => {
  for (const field of fields) field.type = isShown ? 'text' : 'password'
}
box.checked = false
box.closest('label').hidden = false
box.addEventListener('change', () => show(box.checked))
// Browsers store the values of text fields and suggest them again.
box.form.addEventListener('submit', () => show(false))
