console.log('a bundle without Hermes');
