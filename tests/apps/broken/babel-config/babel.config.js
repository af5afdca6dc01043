module.exports = {
  presets: ['module:a-preset-that-nobody-installed'],
};
