import {AppRegistry} from 'react-native';

import App from './src/Nowhere';

AppRegistry.registerComponent('hello', () => App);
