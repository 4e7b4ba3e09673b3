// Offers to show what is typed. Without scripts, the form works without this checkbox.
const box = document.getElementById('show_password')
const fields = [...document.querySelectorAll('input[type="password"]')]
const show = (isShown) => {
  for (const field of fields) field.type = isShown ? 'text' : 'password'
}
box.checked = false
box.closest('label').hidden = false
box.addEventListener('change', () => show(box.checked))
// Browsers remember what was typed into a field of text, and offer it again.
box.form.addEventListener('submit', () => show(false))
